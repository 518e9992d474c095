.target sm_90a
.version 9.0
.visible .entry k() { ret; }
.target sm_80
.global .u32 last
