.version 9.0
.target sm_90a
.address_size 64
.visible .entry k() {
.reg .b32 %r<4>;
bra END;
add.u32 %r1, %r2, 1;
END: ret;
}
