.version 9.0
.target sm_90a
.address_size 64
.include "included.inc"
.visible .entry k()
{
    INCLUDED %r1
    INCLUDED %r2
    ret;
}
