typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64; typedef unsigned short u16; typedef unsigned char u8;
#define KERNEL extern "C" __global__ void
KERNEL k(const u16*in_u16_0,const u32*in_u32_0,const u32*in_u32_1,const u32*in_u32_2,const u64*in_u64_0,const u64*in_u64_1,const u64*in_u64_2,u32*out_u32,u64*out_u64,u16*out_u16,int n){ int i=blockIdx.x*blockDim.x+threadIdx.x; if(i>=n)return;
u16 v_u16_0=in_u16_0[i];
u32 v_u32_0=in_u32_0[i];
u32 v_u32_1=in_u32_1[i];
u32 v_u32_2=in_u32_2[i];
u64 v_u64_0=in_u64_0[i];
u64 v_u64_1=in_u64_1[i];
u64 v_u64_2=in_u64_2[i];
{u32 r; asm volatile("bfe.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[0*n+i]=r;}
{u32 r; asm volatile("bfe.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[1*n+i]=r;}
{u32 r; asm volatile("bfi.b32 %0,%1,%2,%3,7;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[2*n+i]=r;}
{u32 r; asm volatile("bfind.u32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[3*n+i]=r;}
{u32 r; asm volatile("bfind.shiftamt.u32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[4*n+i]=r;}
{u32 r; asm volatile("bfind.s32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[5*n+i]=r;}
{u32 r; asm volatile("bfind.shiftamt.s32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[6*n+i]=r;}
{u32 r; asm volatile("bfind.u64 %0, %1;" : "=r"(r) : "l"(v_u64_0)); out_u32[7*n+i]=r;}
{u32 r; asm volatile("bfind.shiftamt.u64 %0, %1;" : "=r"(r) : "l"(v_u64_0)); out_u32[8*n+i]=r;}
{u32 r; asm volatile("bfind.s64 %0, %1;" : "=r"(r) : "l"(v_u64_0)); out_u32[9*n+i]=r;}
{u32 r; asm volatile("bfind.shiftamt.s64 %0, %1;" : "=r"(r) : "l"(v_u64_0)); out_u32[10*n+i]=r;}
{u32 r; asm volatile("popc.b32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[11*n+i]=r;}
{u32 r; asm volatile("clz.b32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[12*n+i]=r;}
{u32 r; asm volatile("brev.b32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[13*n+i]=r;}
{u32 r; asm volatile("cnot.b32 %0, %1;" : "=r"(r) : "r"(v_u32_0)); out_u32[14*n+i]=r;}
{u32 r; asm volatile("popc.b64 %0, %1;" : "=r"(r) : "l"(v_u64_0)); out_u32[15*n+i]=r;}
{u32 r; asm volatile("clz.b64 %0, %1;" : "=r"(r) : "l"(v_u64_0)); out_u32[16*n+i]=r;}
{u32 r; asm volatile("fns.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[17*n+i]=r;}
{u32 r; asm volatile("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[18*n+i]=r;}
{u32 r; asm volatile("prmt.b32.f4e %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[19*n+i]=r;}
{u32 r; asm volatile("prmt.b32.b4e %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[20*n+i]=r;}
{u32 r; asm volatile("prmt.b32.rc8 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[21*n+i]=r;}
{u32 r; asm volatile("prmt.b32.ecl %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[22*n+i]=r;}
{u32 r; asm volatile("prmt.b32.ecr %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[23*n+i]=r;}
{u32 r; asm volatile("prmt.b32.rc16 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[24*n+i]=r;}
{u32 r; asm volatile("shf.l.clamp.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[25*n+i]=r;}
{u32 r; asm volatile("shf.l.wrap.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[26*n+i]=r;}
{u32 r; asm volatile("shf.r.clamp.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[27*n+i]=r;}
{u32 r; asm volatile("shf.r.wrap.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[28*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,0;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[29*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,255;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[30*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,150;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[31*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,232;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[32*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,202;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[33*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,29;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[34*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,127;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[35*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,128;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[36*n+i]=r;}
{u32 r; asm volatile("lop3.b32 %0,%1,%2,%3,60;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[37*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ne.u32 q,%3,1; lop3.or.b32 %0|p,%1,%2,%3,0x6a,q; @p add.u32 %0,%0,1;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[38*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ne.u32 q,%3,1; lop3.and.b32 %0|p,%1,%2,%3,0x6a,q; @p add.u32 %0,%0,1;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[39*n+i]=r;}
{u32 r; asm volatile("szext.wrap.u32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[40*n+i]=r;}
{u32 r; asm volatile("szext.wrap.s32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[41*n+i]=r;}
{u32 r; asm volatile("szext.clamp.u32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[42*n+i]=r;}
{u32 r; asm volatile("szext.clamp.s32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[43*n+i]=r;}
{u32 r; asm volatile("bmsk.wrap.b32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[44*n+i]=r;}
{u32 r; asm volatile("bmsk.clamp.b32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[45*n+i]=r;}
{u32 r; asm volatile("dp4a.u32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[46*n+i]=r;}
{u32 r; asm volatile("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[47*n+i]=r;}
{u32 r; asm volatile("dp4a.s32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[48*n+i]=r;}
{u32 r; asm volatile("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[49*n+i]=r;}
{u32 r; asm volatile("dp2a.lo.u32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[50*n+i]=r;}
{u32 r; asm volatile("dp2a.hi.u32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[51*n+i]=r;}
{u32 r; asm volatile("dp2a.lo.u32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[52*n+i]=r;}
{u32 r; asm volatile("dp2a.hi.u32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[53*n+i]=r;}
{u32 r; asm volatile("dp2a.lo.s32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[54*n+i]=r;}
{u32 r; asm volatile("dp2a.hi.s32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[55*n+i]=r;}
{u32 r; asm volatile("dp2a.lo.s32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[56*n+i]=r;}
{u32 r; asm volatile("dp2a.hi.s32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[57*n+i]=r;}
{u32 r; asm volatile("shl.b32 %0,%1,%2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[58*n+i]=r;}
{u32 r; asm volatile("{.reg .u32 c; add.cc.u32 c,%1,%2; addc.cc.u32 c,c,%3; addc.u32 %0,c,%1;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[59*n+i]=r;}
{u32 r; asm volatile("{.reg .u32 c; sub.cc.u32 c,%1,%2; subc.cc.u32 c,c,%3; subc.u32 %0,c,%1;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[60*n+i]=r;}
{u32 r; asm volatile("{.reg .u32 c; mad.lo.cc.u32 c,%1,%2,%3; madc.hi.cc.u32 c,c,%2,%1; addc.u32 %0,c,%3;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[61*n+i]=r;}
{u32 r; asm volatile("{.reg .u32 c; mad.hi.cc.u32 c,%1,%2,%3; madc.lo.cc.u32 c,c,%2,%1; addc.u32 %0,c,%3;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[62*n+i]=r;}
{u32 r; asm volatile("{.reg .s32 c; mad.lo.cc.s32 c,%1,%2,%3; madc.hi.cc.s32 c,c,%2,%1; addc.s32 %0,c,%3;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[63*n+i]=r;}
{u32 r; asm volatile("{.reg .s32 c; mad.hi.cc.s32 c,%1,%2,%3; madc.lo.cc.s32 c,c,%2,%1; addc.s32 %0,c,%3;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[64*n+i]=r;}
{u32 r; asm volatile("{.reg .u16 a,b,c; add.u16x2 %0,%1,%2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[65*n+i]=r;}
{u32 r; asm volatile("min.u16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[66*n+i]=r;}
{u32 r; asm volatile("min.s16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[67*n+i]=r;}
{u32 r; asm volatile("max.u16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[68*n+i]=r;}
{u32 r; asm volatile("max.s16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[69*n+i]=r;}
{u32 r; asm volatile("min.relu.s16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[70*n+i]=r;}
{u32 r; asm volatile("max.relu.s16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[71*n+i]=r;}
{u32 r; asm volatile("add.s16x2 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[72*n+i]=r;}
{u64 r; asm volatile("bfe.u64 %0,%1,%2,%3;" : "=l"(r) : "l"(v_u64_0), "r"(v_u32_1), "r"(v_u32_2)); out_u64[0*n+i]=r;}
{u64 r; asm volatile("bfe.s64 %0,%1,%2,%3;" : "=l"(r) : "l"(v_u64_0), "r"(v_u32_1), "r"(v_u32_2)); out_u64[1*n+i]=r;}
{u64 r; asm volatile("bfi.b64 %0,%1,%2,%3,19;" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u64[2*n+i]=r;}
{u64 r; asm volatile("brev.b64 %0, %1;" : "=l"(r) : "l"(v_u64_0)); out_u64[3*n+i]=r;}
{u64 r; asm volatile("cnot.b64 %0, %1;" : "=l"(r) : "l"(v_u64_0)); out_u64[4*n+i]=r;}
{u64 r; asm volatile("shl.b64 %0,%1,%2;" : "=l"(r) : "l"(v_u64_0), "r"(v_u32_1)); out_u64[5*n+i]=r;}
{u64 r; asm volatile("shr.u64 %0,%1,%2;" : "=l"(r) : "l"(v_u64_0), "r"(v_u32_1)); out_u64[6*n+i]=r;}
{u64 r; asm volatile("shr.s64 %0,%1,%2;" : "=l"(r) : "l"(v_u64_0), "r"(v_u32_1)); out_u64[7*n+i]=r;}
{u64 r; asm volatile("shr.b64 %0,%1,%2;" : "=l"(r) : "l"(v_u64_0), "r"(v_u32_1)); out_u64[8*n+i]=r;}
{u64 r; asm volatile("{.reg .u64 c; add.cc.u64 c,%1,%2; addc.cc.u64 c,c,%3; addc.u64 %0,c,%1;}" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "l"(v_u64_2)); out_u64[9*n+i]=r;}
{u64 r; asm volatile("{.reg .u64 c; sub.cc.u64 c,%1,%2; subc.cc.u64 c,c,%3; subc.u64 %0,c,%1;}" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "l"(v_u64_2)); out_u64[10*n+i]=r;}
{u64 r; asm volatile("{.reg .u64 c; mad.lo.cc.u64 c,%1,%2,%3; madc.hi.cc.u64 c,c,%2,%1; addc.u64 %0,c,%3;}" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "l"(v_u64_2)); out_u64[11*n+i]=r;}
{u64 r; asm volatile("{.reg .u64 c; mad.hi.cc.u64 c,%1,%2,%3; madc.lo.cc.u64 c,c,%2,%1; addc.u64 %0,c,%3;}" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "l"(v_u64_2)); out_u64[12*n+i]=r;}
{u64 r; asm volatile("{.reg .s64 c; mad.lo.cc.s64 c,%1,%2,%3; madc.hi.cc.s64 c,c,%2,%1; addc.s64 %0,c,%3;}" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "l"(v_u64_2)); out_u64[13*n+i]=r;}
{u64 r; asm volatile("{.reg .s64 c; mad.hi.cc.s64 c,%1,%2,%3; madc.lo.cc.s64 c,c,%2,%1; addc.s64 %0,c,%3;}" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "l"(v_u64_2)); out_u64[14*n+i]=r;}
{u16 r; asm volatile("shl.b16 %0,%1,%2;" : "=h"(r) : "h"(v_u16_0), "r"(v_u32_1)); out_u16[0*n+i]=r;}
{u16 r; asm volatile("shr.u16 %0,%1,%2;" : "=h"(r) : "h"(v_u16_0), "r"(v_u32_1)); out_u16[1*n+i]=r;}
{u16 r; asm volatile("shr.s16 %0,%1,%2;" : "=h"(r) : "h"(v_u16_0), "r"(v_u32_1)); out_u16[2*n+i]=r;}
{u16 r; asm volatile("shr.b16 %0,%1,%2;" : "=h"(r) : "h"(v_u16_0), "r"(v_u32_1)); out_u16[3*n+i]=r;}
}