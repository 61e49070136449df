"""Every weights file has a card that says enough."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grisaille import weights
from grisaille.weights.card import Card, CardKind, cards

SHIPPED = Path(weights.__file__).with_name("shipped")


@pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)
def test_a_card_says_what_where_from_and_under_which_licence(card: Card) -> None:
    assert card.version
    assert card.licence
    assert card.intended_use
    assert card.file
    if card.source.startswith("https://"):
        # What others learned and no hub has is brought by hand, and never seen here before.
        assert card.package or card.hub or (card.kind is CardKind.METHOD and not card.is_pinned)
    else:
        assert card.source.startswith(("python -m grisaille.flows.", "grisaille train "))
        assert (SHIPPED / card.file).stat().st_size == card.bytes


@pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)
def test_a_hash_is_whole_or_absent_and_then_not_pinned(card: Card) -> None:
    assert re.fullmatch("[0-9a-f]{64}|", card.sha256)
    assert card.is_pinned == bool(card.sha256)
    assert bool(card.bytes) == card.is_pinned


def test_the_offline_default_is_pinned() -> None:
    assert cards()["efficientnet-lite0"].is_pinned


def test_every_backbone_that_can_be_named_has_a_card() -> None:
    from grisaille.nn.backbone import BackboneName

    backbones = {name for name, card in cards().items() if card.kind is CardKind.BACKBONE}
    assert set(BackboneName) <= backbones
