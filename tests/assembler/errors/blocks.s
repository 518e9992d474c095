.version 9.0
.target sm_90a
.address_size 64

.visible .entry first()
{
    {
        mov.u32 %r1, 2;
    ret;

.visible .entry second(.param .u64 a .param .u64 b)
{
    ret;
}
}
add.u32 %r1, %r2, %r3;
ret;
.func (.reg .u32 %x) third (
{
    ret;
}
.visible .entry fourth() .maxnitd 128
{
    ret;
}
.visible .entry fifth()
.host main {
    print 1;
.section .debug_str
{
/* never closed
}
