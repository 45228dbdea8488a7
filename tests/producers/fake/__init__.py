"""The parts of the fake model server: what it answers (`answers`) and the wire form of each vendor."""
