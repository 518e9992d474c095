.version 9.0
.target sm_90a
.address_size 64

.global .u32 table[4] = {1, 2, 3;
.global .u32 pair[2] = {1, 2}
.visible .entry k(.param .u64 p)
{
    .reg .b32 %r<9>
    .reg .b64 %rd<4>;
    mov.u32 %r1, %r2
    add.u32 %r3, %r1, 5;
    add.u32 %r3 %r1, 5;
    ld.global.u32 %r1, [%rd1;
    ld.global.v2.u32 {%r1, %r2, [%rd1];
    add.u32 %r1, , %r2;
    add.u32 %r1, %r2, #5;
    mov.u32 %r1, 089;
    mov.u32 %r1, 1/0;
    mov.u32 %r1, 1.5 + 2;
    mov.u32 %r1, 0x1FFFFFFFFFFFFFFFF;
    mov.u32 %r1, %r2 +;
    .wibble 3;
    .shard .b8 x[4];
    .shared .b8 y[%r1];
    .shared .global .b8 z;
    .shared .u32 .u64 z;
    .reg .b32;
    .pragma "never closed;
    @%p1 bra DONE
    ret
    ret;
DONE:
    call (%r1), f, (%r2;
    .maxntid 128;
    .branchtargets A;
    { mov.u32 %r1, %r2; /* a comment
       over lines */ bad bad bad; }
    ret
}
