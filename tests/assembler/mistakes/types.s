.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 p) {
.reg .b32 %r<4>; .reg .f32 %f<4>; .reg .b64 %rd<4>; .reg .pred %p<2>; .reg .b16 %h<4>;
.shared .u32 buffer[4];
add.u32 %r1, %f1, %r3;
add.f32 %f1, %f2, 1;
add.s32 %r1, %r2, 1.5;
shl.b32 %r1, %r2, %rd1;
setp.eq.u32 %r1, %r2, %r3;
@%r1 ret;
ld.global.u64 %r1, [%rd1];
ld.global.u32 %r1, [%f1];
ld.global.u32 %r1, [buffer];
mov.u64 %rd1, %tid.x;
add.u32 %r1, %r2, %tid.x;
add.u32 %r1, %r2, buffer;
add.u32 _, %r1, %r2;
add.u32 5, %r1, %r2;
add.u16 %h1, %h2, 70000;
st.param.u64 [p], %rd1;
lop3.b32 %r1, %r2, %r3, %r1, %r1;
ret;
}
