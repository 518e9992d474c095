.version 9.0
.target sm_90a
.address_size 64
.macro LOAD to, from
    ld.global.u32 \to, [\from];
    addd.u32 \to, \to, 1;
.endm
.visible .entry k(.param .u64 p) {
.reg .b32 %r<4>; .reg .b64 %rd<4>;
LOAD %r1, %rd9;
ret;
}
