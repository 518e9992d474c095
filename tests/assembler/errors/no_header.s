.address_size 64
.visible .entry k() { ret; }
