"""What puts a server to work and measures it: each is a process of its own."""
