"""The fast ways to compute what the networks and bijectors say."""
