.version 9.0
.target sm_90
.address_size 64
.visible .entry k(.param .u64 p) {
.reg .b32 %r<4>; .reg .b64 %rd<4>;
st.rowsp.b32 [%rd1], %r1;
dymultimem.st.b32 [%rd1], %r1, %r2, [%rd2];
ld.global.cais.b32 %r1, [%rd1];
ret;
}
