"""What the methods share of torch: engine, device, backbone."""
