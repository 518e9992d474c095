.version 9.0
.target sm_90a
.address_size 64
.visible .entry scale(.param .u64 x, .param .u32 n) { ret; }
.host main {
    buffer x : f32[64] = ones;
    for i in 0..3 { launch scal on all grid(1) block(32) (x, 64); }
    launch scale on all grid(1) block(32) (x);
}
