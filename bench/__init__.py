"""`make bench`: what a packet, a change and a command cost, beside a peer and bare floors."""
