// vecadd: c = a + b. Every GPU adds two vectors of its own.
//
// Shows the smallest complete program: a kernel in plain PTX, and a host program that allocates, fills, launches and
// checks.
//
//     simasm programs/hello/vecadd.s --gpus 2
//
// Expected: `c ~ add` passes with error 0, because one addition is rounded once. Try -D n=1000000.

.version 9.0
.target sm_90a
.address_size 64

.visible .entry vecadd(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n)
{
    .reg .pred %done;
    .reg .b32 %i, %n, %t, %cta, %width;
    .reg .b64 %pa, %pb, %pc;
    .reg .f32 %x, %y, %sum;

    mov.u32 %t, %tid.x;
    mov.u32 %cta, %ctaid.x;
    mov.u32 %width, %ntid.x;
    mad.lo.u32 %i, %cta, %width, %t;
    ld.param.u32 %n, [n];
    setp.ge.u32 %done, %i, %n;
    @%done ret;

    ld.param.u64 %pa, [a];
    ld.param.u64 %pb, [b];
    ld.param.u64 %pc, [c];
    mad.wide.u32 %pa, %i, 4, %pa;
    mad.wide.u32 %pb, %i, 4, %pb;
    mad.wide.u32 %pc, %i, 4, %pc;
    ld.global.f32 %x, [%pa];
    ld.global.f32 %y, [%pb];
    add.f32 %sum, %x, %y;
    st.global.f32 [%pc], %sum;
    ret;
}

.host main {
    param n = 65536;
    buffer a : f32[n] = normal(0, 1);
    buffer b : f32[n] = normal(0, 1);
    buffer c : f32[n] = zeros;
    launch vecadd on all grid(ceil_div(n, 256)) block(256) (a, b, c, n);
    check c ~ add(a, b) rtol 0;
}
