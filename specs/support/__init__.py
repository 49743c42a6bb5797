"""Object mothers, fakes, matchers and recorded alerts that the specs share."""
