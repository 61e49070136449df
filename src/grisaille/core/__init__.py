"""Types and rules of grisaille: numpy only, no disk, no network, no screen."""
