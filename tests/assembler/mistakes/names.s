.version 9.0
.target sm_90a
.address_size 64
.global .u32 table[2] = {1, 2, 3};
.global .u64 pointers[2] = {tabel, 0};
.global .align 3 .u32 odd;
.shared .u32 s = 1;
.func (.param .b32 r) square(.param .b32 x) { .reg .b32 %r<2>; ld.param.b32 %r1, [x]; st.param.b32 [r], %r1; ret; }
.visible .entry k(.param .u64 pointer) {
.reg .b32 %r<4>; .reg .b64 %rd<4>;
.reg .b32 %r<2>;
.param .b32 a; .param .b32 b;
ld.param.u64 %rd1, [pionter];
add.u32 %r1, %r2, %r4;
add.u32 %r1, %r2, count;
mov.u32 %r1, %tid.w;
bra LOPE;
LOOP: bra LOOP;
LOOP: ret;
call (b), sqare, (a);
call (b), square, (a, a);
call (b), square, (%rd1);
brx.idx %r1, TABLE;
}
.visible .entry k() { ret; }
