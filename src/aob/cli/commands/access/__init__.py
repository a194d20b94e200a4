"""Commands about access: keys of the server, secrets of the home, certificates of a cluster."""
