"""The whole engine in virtual time: keepers, their store and layer, the network, and pages. See README.md."""
