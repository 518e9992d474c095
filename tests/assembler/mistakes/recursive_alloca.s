.version 9.0
.target sm_90a
.address_size 64
.func (.param .b32 r) f(.param .b32 n)
{
    .reg .u32 %n;
    .reg .u64 %a;
    ld.param.u32 %n, [n];
    alloca.u64 %a, 16;
    { .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %n; call (r0), f, (p0); }
    ret;
}
