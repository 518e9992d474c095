typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64; typedef unsigned short u16; typedef unsigned char u8;
#define KERNEL extern "C" __global__ void
KERNEL k(const u16*in_bf16_0,const u16*in_bf16_1,const u32*in_bf16x2_0,const u32*in_bf16x2_1,const u16*in_f16_0,const u16*in_f16_1,const u32*in_f16x2_0,const u32*in_f16x2_1,const float*in_f32_0,const float*in_f32_1,const float*in_f32_2,const double*in_f64_0,const double*in_f64_1,const u16*in_u16_0,const u16*in_u16_1,const u32*in_u32_0,const u32*in_u32_1,const u32*in_u32_2,const u64*in_u64_0,const u64*in_u64_1,u32*out_u32,float*out_f32,u16*out_f16,u32*out_f16x2,u16*out_u16,u16*out_bf16,u32*out_bf16x2,u64*out_u64,double*out_f64,int n){ int i=blockIdx.x*blockDim.x+threadIdx.x; if(i>=n)return;
u16 v_bf16_0=in_bf16_0[i];
u16 v_bf16_1=in_bf16_1[i];
u32 v_bf16x2_0=in_bf16x2_0[i];
u32 v_bf16x2_1=in_bf16x2_1[i];
u16 v_f16_0=in_f16_0[i];
u16 v_f16_1=in_f16_1[i];
u32 v_f16x2_0=in_f16x2_0[i];
u32 v_f16x2_1=in_f16x2_1[i];
float v_f32_0=in_f32_0[i];
float v_f32_1=in_f32_1[i];
float v_f32_2=in_f32_2[i];
double v_f64_0=in_f64_0[i];
double v_f64_1=in_f64_1[i];
u16 v_u16_0=in_u16_0[i];
u16 v_u16_1=in_u16_1[i];
u32 v_u32_0=in_u32_0[i];
u32 v_u32_1=in_u32_1[i];
u32 v_u32_2=in_u32_2[i];
u64 v_u64_0=in_u64_0[i];
u64 v_u64_1=in_u64_1[i];
{u32 r; asm volatile("{.reg .pred p,q; setp.eq.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[0*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ne.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[1*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.lt.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[2*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.le.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[3*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.gt.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[4*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ge.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[5*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.equ.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[6*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.neu.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[7*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ltu.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[8*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.leu.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[9*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.gtu.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[10*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.geu.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[11*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.num.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[12*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.nan.f32 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[13*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.eq.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[14*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ne.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[15*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.lt.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[16*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.le.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[17*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.gt.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[18*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ge.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[19*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.equ.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[20*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.neu.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[21*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.ltu.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[22*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.leu.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[23*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.gtu.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[24*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.geu.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[25*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.num.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[26*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.nan.f64 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[27*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.eq.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[28*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.ne.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[29*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.lt.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[30*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.le.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[31*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.gt.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[32*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.ge.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[33*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.equ.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[34*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.neu.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[35*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.ltu.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[36*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.leu.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[37*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.gtu.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[38*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.geu.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[39*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.num.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[40*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.nan.f16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[41*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.eq.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[42*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.ne.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[43*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.lt.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[44*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.le.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[45*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.gt.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[46*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.ge.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[47*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.equ.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[48*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.neu.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[49*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.ltu.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[50*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.leu.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[51*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.gtu.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[52*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.geu.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[53*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.num.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[54*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p; setp.nan.bf16 p,%1,%2; selp.u32 %0,1,0,p;}" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[55*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.xor.u32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[56*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.and.u32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[57*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lt.or.u32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[58*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.le.xor.u32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[59*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.gt.and.u32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[60*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ge.or.u32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[61*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lo.xor.u32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[62*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ls.and.u32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[63*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.hi.or.u32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[64*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.hs.xor.u32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[65*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.and.s32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[66*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.or.s32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[67*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lt.xor.s32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[68*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.le.and.s32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[69*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.gt.or.s32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[70*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ge.xor.s32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[71*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.and.b32 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[72*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.or.b32 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[73*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.xor.u64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[74*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.and.u64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[75*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lt.or.u64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[76*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.le.xor.u64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[77*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.gt.and.u64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[78*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ge.or.u64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[79*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lo.xor.u64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[80*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ls.and.u64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[81*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.hi.or.u64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[82*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.hs.xor.u64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[83*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.and.s64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[84*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.or.s64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[85*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lt.xor.s64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[86*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.le.and.s64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[87*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.gt.or.s64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[88*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ge.xor.s64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[89*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.and.b64 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[90*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.or.b64 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u32[91*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.xor.u16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[92*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.and.u16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[93*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lt.or.u16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[94*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.le.xor.u16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[95*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.gt.and.u16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[96*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ge.or.u16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[97*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lo.xor.u16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[98*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ls.and.u16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[99*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.hi.or.u16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[100*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.hs.xor.u16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[101*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.and.s16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[102*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.or.s16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[103*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.lt.xor.s16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[104*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.le.and.s16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[105*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.gt.or.s16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[106*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ge.xor.s16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[107*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.eq.and.b16 p|q,%1,%2,z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[108*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q,z; setp.ne.u32 z,%3,0; setp.ne.or.b16 p|q,%1,%2,!z; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u32[109*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.f32 %0, %1, %2;" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[110*n+i]=r;}
{u32 r; asm volatile("set.ne.u32.f32 %0, %1, %2;" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[111*n+i]=r;}
{u32 r; asm volatile("set.geu.u32.f32 %0, %1, %2;" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[112*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.f64 %0, %1, %2;" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[113*n+i]=r;}
{u32 r; asm volatile("set.ne.u32.f64 %0, %1, %2;" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[114*n+i]=r;}
{u32 r; asm volatile("set.geu.u32.f64 %0, %1, %2;" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[115*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.s32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[116*n+i]=r;}
{u32 r; asm volatile("set.ne.u32.s32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[117*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.u64 %0, %1, %2;" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1)); out_u32[118*n+i]=r;}
{u32 r; asm volatile("set.ne.u32.u64 %0, %1, %2;" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1)); out_u32[119*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.s16 %0, %1, %2;" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1)); out_u32[120*n+i]=r;}
{u32 r; asm volatile("set.ne.u32.s16 %0, %1, %2;" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1)); out_u32[121*n+i]=r;}
{u32 r; asm volatile("set.lt.s32.f32 %0, %1, %2;" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[122*n+i]=r;}
{u32 r; asm volatile("set.ne.s32.f32 %0, %1, %2;" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[123*n+i]=r;}
{u32 r; asm volatile("set.geu.s32.f32 %0, %1, %2;" : "=r"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_u32[124*n+i]=r;}
{u32 r; asm volatile("set.lt.s32.f64 %0, %1, %2;" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[125*n+i]=r;}
{u32 r; asm volatile("set.ne.s32.f64 %0, %1, %2;" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[126*n+i]=r;}
{u32 r; asm volatile("set.geu.s32.f64 %0, %1, %2;" : "=r"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_u32[127*n+i]=r;}
{u32 r; asm volatile("set.lt.s32.s32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[128*n+i]=r;}
{u32 r; asm volatile("set.ne.s32.s32 %0, %1, %2;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_u32[129*n+i]=r;}
{u32 r; asm volatile("set.lt.s32.u64 %0, %1, %2;" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1)); out_u32[130*n+i]=r;}
{u32 r; asm volatile("set.ne.s32.u64 %0, %1, %2;" : "=r"(r) : "l"(v_u64_0), "l"(v_u64_1)); out_u32[131*n+i]=r;}
{u32 r; asm volatile("set.lt.s32.s16 %0, %1, %2;" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1)); out_u32[132*n+i]=r;}
{u32 r; asm volatile("set.ne.s32.s16 %0, %1, %2;" : "=r"(r) : "h"(v_u16_0), "h"(v_u16_1)); out_u32[133*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_u32[134*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.f16 %0, %1, %2;" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[135*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.lt.f16x2 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_u32[136*n+i]=r;}
{u32 r; asm volatile("set.geu.u32.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_u32[137*n+i]=r;}
{u32 r; asm volatile("set.geu.u32.f16 %0, %1, %2;" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[138*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.geu.f16x2 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_u32[139*n+i]=r;}
{u32 r; asm volatile("set.nan.u32.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_u32[140*n+i]=r;}
{u32 r; asm volatile("set.nan.u32.f16 %0, %1, %2;" : "=r"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u32[141*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.nan.f16x2 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_u32[142*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_u32[143*n+i]=r;}
{u32 r; asm volatile("set.lt.u32.bf16 %0, %1, %2;" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[144*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.lt.bf16x2 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_u32[145*n+i]=r;}
{u32 r; asm volatile("set.geu.u32.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_u32[146*n+i]=r;}
{u32 r; asm volatile("set.geu.u32.bf16 %0, %1, %2;" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[147*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.geu.bf16x2 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_u32[148*n+i]=r;}
{u32 r; asm volatile("set.nan.u32.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_u32[149*n+i]=r;}
{u32 r; asm volatile("set.nan.u32.bf16 %0, %1, %2;" : "=r"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u32[150*n+i]=r;}
{u32 r; asm volatile("{.reg .pred p,q; setp.nan.bf16x2 p|q,%1,%2; selp.u32 %0,1,0,p; @q add.u32 %0,%0,2;}" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_u32[151*n+i]=r;}
{u32 r; asm volatile("slct.s32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "r"(v_u32_2)); out_u32[152*n+i]=r;}
{u32 r; asm volatile("slct.s32.f32 %0, %1, %2, %3;" : "=r"(r) : "r"(v_u32_0), "r"(v_u32_1), "f"(v_f32_2)); out_u32[153*n+i]=r;}
{float r; asm volatile("set.lt.f32.f32 %0, %1, %2;" : "=f"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_f32[0*n+i]=r;}
{float r; asm volatile("set.ne.f32.f32 %0, %1, %2;" : "=f"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_f32[1*n+i]=r;}
{float r; asm volatile("set.geu.f32.f32 %0, %1, %2;" : "=f"(r) : "f"(v_f32_0), "f"(v_f32_1)); out_f32[2*n+i]=r;}
{float r; asm volatile("set.lt.f32.f64 %0, %1, %2;" : "=f"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_f32[3*n+i]=r;}
{float r; asm volatile("set.ne.f32.f64 %0, %1, %2;" : "=f"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_f32[4*n+i]=r;}
{float r; asm volatile("set.geu.f32.f64 %0, %1, %2;" : "=f"(r) : "d"(v_f64_0), "d"(v_f64_1)); out_f32[5*n+i]=r;}
{float r; asm volatile("set.lt.f32.s32 %0, %1, %2;" : "=f"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_f32[6*n+i]=r;}
{float r; asm volatile("set.ne.f32.s32 %0, %1, %2;" : "=f"(r) : "r"(v_u32_0), "r"(v_u32_1)); out_f32[7*n+i]=r;}
{float r; asm volatile("set.lt.f32.u64 %0, %1, %2;" : "=f"(r) : "l"(v_u64_0), "l"(v_u64_1)); out_f32[8*n+i]=r;}
{float r; asm volatile("set.ne.f32.u64 %0, %1, %2;" : "=f"(r) : "l"(v_u64_0), "l"(v_u64_1)); out_f32[9*n+i]=r;}
{float r; asm volatile("set.lt.f32.s16 %0, %1, %2;" : "=f"(r) : "h"(v_u16_0), "h"(v_u16_1)); out_f32[10*n+i]=r;}
{float r; asm volatile("set.ne.f32.s16 %0, %1, %2;" : "=f"(r) : "h"(v_u16_0), "h"(v_u16_1)); out_f32[11*n+i]=r;}
{float r; asm volatile("slct.f32.s32 %0, %1, %2, %3;" : "=f"(r) : "f"(v_f32_0), "f"(v_f32_1), "r"(v_u32_2)); out_f32[12*n+i]=r;}
{float r; asm volatile("slct.f32.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(v_f32_0), "f"(v_f32_1), "f"(v_f32_2)); out_f32[13*n+i]=r;}
{u16 r; asm volatile("set.lt.f16.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[0*n+i]=r;}
{u16 r; asm volatile("set.geu.f16.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[1*n+i]=r;}
{u16 r; asm volatile("set.nan.f16.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[2*n+i]=r;}
{u32 r; asm volatile("set.lt.f16x2.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[0*n+i]=r;}
{u32 r; asm volatile("set.geu.f16x2.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[1*n+i]=r;}
{u32 r; asm volatile("set.nan.f16x2.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[2*n+i]=r;}
{u16 r; asm volatile("set.lt.u16.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u16[0*n+i]=r;}
{u16 r; asm volatile("set.geu.u16.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u16[1*n+i]=r;}
{u16 r; asm volatile("set.nan.u16.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_u16[2*n+i]=r;}
{u16 r; asm volatile("set.lt.u16.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u16[3*n+i]=r;}
{u16 r; asm volatile("set.geu.u16.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u16[4*n+i]=r;}
{u16 r; asm volatile("set.nan.u16.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_u16[5*n+i]=r;}
{u16 r; asm volatile("slct.b16.s32 %0, %1, %2, %3;" : "=h"(r) : "h"(v_u16_0), "h"(v_u16_1), "r"(v_u32_2)); out_u16[6*n+i]=r;}
{u16 r; asm volatile("slct.b16.f32 %0, %1, %2, %3;" : "=h"(r) : "h"(v_u16_0), "h"(v_u16_1), "f"(v_f32_2)); out_u16[7*n+i]=r;}
{u16 r; asm volatile("set.lt.bf16.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[0*n+i]=r;}
{u16 r; asm volatile("set.geu.bf16.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[1*n+i]=r;}
{u16 r; asm volatile("set.nan.bf16.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[2*n+i]=r;}
{u32 r; asm volatile("set.lt.bf16x2.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[0*n+i]=r;}
{u32 r; asm volatile("set.geu.bf16x2.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[1*n+i]=r;}
{u32 r; asm volatile("set.nan.bf16x2.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[2*n+i]=r;}
{u64 r; asm volatile("slct.b64.s32 %0, %1, %2, %3;" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "r"(v_u32_2)); out_u64[0*n+i]=r;}
{u64 r; asm volatile("slct.b64.f32 %0, %1, %2, %3;" : "=l"(r) : "l"(v_u64_0), "l"(v_u64_1), "f"(v_f32_2)); out_u64[1*n+i]=r;}
{double r; asm volatile("slct.f64.s32 %0, %1, %2, %3;" : "=d"(r) : "d"(v_f64_0), "d"(v_f64_1), "r"(v_u32_2)); out_f64[0*n+i]=r;}
{double r; asm volatile("slct.f64.f32 %0, %1, %2, %3;" : "=d"(r) : "d"(v_f64_0), "d"(v_f64_1), "f"(v_f32_2)); out_f64[1*n+i]=r;}
}