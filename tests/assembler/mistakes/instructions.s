.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 p) {
.reg .b32 %r<4>;
ad.u32 %r1, %r2, %r3;
add.u23 %r1, %r2, %r3;
setp.u32 %r1, %r2, %r3;
add.rn.u32 %r1, %r2, %r3;
add.u32 %r1, %r2;
tcgen05.fence::before_thread_sync;
ret;
}
