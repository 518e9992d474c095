typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64; typedef unsigned short u16; typedef unsigned char u8;
#define KERNEL extern "C" __global__ void
KERNEL k(const u16*in_bf16_0,const u16*in_bf16_1,const u16*in_bf16_2,const u32*in_bf16x2_0,const u32*in_bf16x2_1,const u32*in_bf16x2_2,const u16*in_f16_0,const u16*in_f16_1,const u16*in_f16_2,const u32*in_f16x2_0,const u32*in_f16x2_1,const u32*in_f16x2_2,u16*out_f16,u16*out_bf16,u32*out_f16x2,u32*out_bf16x2,int n){ int i=blockIdx.x*blockDim.x+threadIdx.x; if(i>=n)return;
u16 v_bf16_0=in_bf16_0[i];
u16 v_bf16_1=in_bf16_1[i];
u16 v_bf16_2=in_bf16_2[i];
u32 v_bf16x2_0=in_bf16x2_0[i];
u32 v_bf16x2_1=in_bf16x2_1[i];
u32 v_bf16x2_2=in_bf16x2_2[i];
u16 v_f16_0=in_f16_0[i];
u16 v_f16_1=in_f16_1[i];
u16 v_f16_2=in_f16_2[i];
u32 v_f16x2_0=in_f16x2_0[i];
u32 v_f16x2_1=in_f16x2_1[i];
u32 v_f16x2_2=in_f16x2_2[i];
{u16 r; asm volatile("add.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[0*n+i]=r;}
{u16 r; asm volatile("sub.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[1*n+i]=r;}
{u16 r; asm volatile("mul.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[2*n+i]=r;}
{u16 r; asm volatile("add.rn.sat.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[3*n+i]=r;}
{u16 r; asm volatile("sub.rn.sat.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[4*n+i]=r;}
{u16 r; asm volatile("mul.rn.sat.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[5*n+i]=r;}
{u16 r; asm volatile("fma.rn.sat.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[6*n+i]=r;}
{u16 r; asm volatile("fma.rn.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[7*n+i]=r;}
{u16 r; asm volatile("fma.rn.relu.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[8*n+i]=r;}
{u16 r; asm volatile("neg.f16 %0, %1;" : "=h"(r) : "h"(v_f16_0)); out_f16[9*n+i]=r;}
{u16 r; asm volatile("abs.f16 %0, %1;" : "=h"(r) : "h"(v_f16_0)); out_f16[10*n+i]=r;}
{u16 r; asm volatile("min.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[11*n+i]=r;}
{u16 r; asm volatile("min.NaN.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[12*n+i]=r;}
{u16 r; asm volatile("min.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[13*n+i]=r;}
{u16 r; asm volatile("min.NaN.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[14*n+i]=r;}
{u16 r; asm volatile("max.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[15*n+i]=r;}
{u16 r; asm volatile("max.NaN.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[16*n+i]=r;}
{u16 r; asm volatile("max.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[17*n+i]=r;}
{u16 r; asm volatile("max.NaN.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[18*n+i]=r;}
{u16 r; asm volatile("add.ftz.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[19*n+i]=r;}
{u16 r; asm volatile("sub.ftz.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[20*n+i]=r;}
{u16 r; asm volatile("mul.ftz.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[21*n+i]=r;}
{u16 r; asm volatile("add.rn.ftz.sat.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[22*n+i]=r;}
{u16 r; asm volatile("sub.rn.ftz.sat.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[23*n+i]=r;}
{u16 r; asm volatile("mul.rn.ftz.sat.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[24*n+i]=r;}
{u16 r; asm volatile("fma.rn.ftz.sat.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[25*n+i]=r;}
{u16 r; asm volatile("fma.rn.ftz.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[26*n+i]=r;}
{u16 r; asm volatile("fma.rn.ftz.relu.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[27*n+i]=r;}
{u16 r; asm volatile("neg.ftz.f16 %0, %1;" : "=h"(r) : "h"(v_f16_0)); out_f16[28*n+i]=r;}
{u16 r; asm volatile("abs.ftz.f16 %0, %1;" : "=h"(r) : "h"(v_f16_0)); out_f16[29*n+i]=r;}
{u16 r; asm volatile("min.ftz.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[30*n+i]=r;}
{u16 r; asm volatile("min.ftz.NaN.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[31*n+i]=r;}
{u16 r; asm volatile("min.ftz.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[32*n+i]=r;}
{u16 r; asm volatile("min.ftz.NaN.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[33*n+i]=r;}
{u16 r; asm volatile("max.ftz.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[34*n+i]=r;}
{u16 r; asm volatile("max.ftz.NaN.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[35*n+i]=r;}
{u16 r; asm volatile("max.ftz.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[36*n+i]=r;}
{u16 r; asm volatile("max.ftz.NaN.xorsign.abs.f16 %0, %1, %2;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1)); out_f16[37*n+i]=r;}
{u16 r; asm volatile("tanh.approx.f16 %0, %1;" : "=h"(r) : "h"(v_f16_0)); out_f16[38*n+i]=r;}
{u16 r; asm volatile("ex2.approx.f16 %0, %1;" : "=h"(r) : "h"(v_f16_0)); out_f16[39*n+i]=r;}
{u16 r; asm volatile("fma.rn.oob.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[40*n+i]=r;}
{u16 r; asm volatile("fma.rn.oob.relu.f16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_f16_0), "h"(v_f16_1), "h"(v_f16_2)); out_f16[41*n+i]=r;}
{u16 r; asm volatile("add.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[0*n+i]=r;}
{u16 r; asm volatile("sub.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[1*n+i]=r;}
{u16 r; asm volatile("mul.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[2*n+i]=r;}
{u16 r; asm volatile("fma.rn.bf16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1), "h"(v_bf16_2)); out_bf16[3*n+i]=r;}
{u16 r; asm volatile("fma.rn.relu.bf16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1), "h"(v_bf16_2)); out_bf16[4*n+i]=r;}
{u16 r; asm volatile("neg.bf16 %0, %1;" : "=h"(r) : "h"(v_bf16_0)); out_bf16[5*n+i]=r;}
{u16 r; asm volatile("abs.bf16 %0, %1;" : "=h"(r) : "h"(v_bf16_0)); out_bf16[6*n+i]=r;}
{u16 r; asm volatile("min.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[7*n+i]=r;}
{u16 r; asm volatile("min.NaN.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[8*n+i]=r;}
{u16 r; asm volatile("min.xorsign.abs.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[9*n+i]=r;}
{u16 r; asm volatile("min.NaN.xorsign.abs.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[10*n+i]=r;}
{u16 r; asm volatile("max.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[11*n+i]=r;}
{u16 r; asm volatile("max.NaN.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[12*n+i]=r;}
{u16 r; asm volatile("max.xorsign.abs.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[13*n+i]=r;}
{u16 r; asm volatile("max.NaN.xorsign.abs.bf16 %0, %1, %2;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1)); out_bf16[14*n+i]=r;}
{u16 r; asm volatile("tanh.approx.bf16 %0, %1;" : "=h"(r) : "h"(v_bf16_0)); out_bf16[15*n+i]=r;}
{u16 r; asm volatile("ex2.approx.ftz.bf16 %0, %1;" : "=h"(r) : "h"(v_bf16_0)); out_bf16[16*n+i]=r;}
{u16 r; asm volatile("fma.rn.oob.bf16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1), "h"(v_bf16_2)); out_bf16[17*n+i]=r;}
{u16 r; asm volatile("fma.rn.oob.relu.bf16 %0, %1, %2, %3;" : "=h"(r) : "h"(v_bf16_0), "h"(v_bf16_1), "h"(v_bf16_2)); out_bf16[18*n+i]=r;}
{u32 r; asm volatile("add.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[0*n+i]=r;}
{u32 r; asm volatile("sub.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[1*n+i]=r;}
{u32 r; asm volatile("mul.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[2*n+i]=r;}
{u32 r; asm volatile("add.rn.sat.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[3*n+i]=r;}
{u32 r; asm volatile("sub.rn.sat.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[4*n+i]=r;}
{u32 r; asm volatile("mul.rn.sat.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[5*n+i]=r;}
{u32 r; asm volatile("fma.rn.sat.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[6*n+i]=r;}
{u32 r; asm volatile("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[7*n+i]=r;}
{u32 r; asm volatile("fma.rn.relu.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[8*n+i]=r;}
{u32 r; asm volatile("neg.f16x2 %0, %1;" : "=r"(r) : "r"(v_f16x2_0)); out_f16x2[9*n+i]=r;}
{u32 r; asm volatile("abs.f16x2 %0, %1;" : "=r"(r) : "r"(v_f16x2_0)); out_f16x2[10*n+i]=r;}
{u32 r; asm volatile("min.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[11*n+i]=r;}
{u32 r; asm volatile("min.NaN.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[12*n+i]=r;}
{u32 r; asm volatile("min.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[13*n+i]=r;}
{u32 r; asm volatile("min.NaN.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[14*n+i]=r;}
{u32 r; asm volatile("max.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[15*n+i]=r;}
{u32 r; asm volatile("max.NaN.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[16*n+i]=r;}
{u32 r; asm volatile("max.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[17*n+i]=r;}
{u32 r; asm volatile("max.NaN.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[18*n+i]=r;}
{u32 r; asm volatile("add.ftz.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[19*n+i]=r;}
{u32 r; asm volatile("sub.ftz.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[20*n+i]=r;}
{u32 r; asm volatile("mul.ftz.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[21*n+i]=r;}
{u32 r; asm volatile("add.rn.ftz.sat.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[22*n+i]=r;}
{u32 r; asm volatile("sub.rn.ftz.sat.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[23*n+i]=r;}
{u32 r; asm volatile("mul.rn.ftz.sat.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[24*n+i]=r;}
{u32 r; asm volatile("fma.rn.ftz.sat.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[25*n+i]=r;}
{u32 r; asm volatile("fma.rn.ftz.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[26*n+i]=r;}
{u32 r; asm volatile("fma.rn.ftz.relu.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[27*n+i]=r;}
{u32 r; asm volatile("neg.ftz.f16x2 %0, %1;" : "=r"(r) : "r"(v_f16x2_0)); out_f16x2[28*n+i]=r;}
{u32 r; asm volatile("abs.ftz.f16x2 %0, %1;" : "=r"(r) : "r"(v_f16x2_0)); out_f16x2[29*n+i]=r;}
{u32 r; asm volatile("min.ftz.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[30*n+i]=r;}
{u32 r; asm volatile("min.ftz.NaN.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[31*n+i]=r;}
{u32 r; asm volatile("min.ftz.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[32*n+i]=r;}
{u32 r; asm volatile("min.ftz.NaN.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[33*n+i]=r;}
{u32 r; asm volatile("max.ftz.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[34*n+i]=r;}
{u32 r; asm volatile("max.ftz.NaN.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[35*n+i]=r;}
{u32 r; asm volatile("max.ftz.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[36*n+i]=r;}
{u32 r; asm volatile("max.ftz.NaN.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1)); out_f16x2[37*n+i]=r;}
{u32 r; asm volatile("tanh.approx.f16x2 %0, %1;" : "=r"(r) : "r"(v_f16x2_0)); out_f16x2[38*n+i]=r;}
{u32 r; asm volatile("ex2.approx.f16x2 %0, %1;" : "=r"(r) : "r"(v_f16x2_0)); out_f16x2[39*n+i]=r;}
{u32 r; asm volatile("fma.rn.oob.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[40*n+i]=r;}
{u32 r; asm volatile("fma.rn.oob.relu.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_f16x2_0), "r"(v_f16x2_1), "r"(v_f16x2_2)); out_f16x2[41*n+i]=r;}
{u32 r; asm volatile("add.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[0*n+i]=r;}
{u32 r; asm volatile("sub.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[1*n+i]=r;}
{u32 r; asm volatile("mul.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[2*n+i]=r;}
{u32 r; asm volatile("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1), "r"(v_bf16x2_2)); out_bf16x2[3*n+i]=r;}
{u32 r; asm volatile("fma.rn.relu.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1), "r"(v_bf16x2_2)); out_bf16x2[4*n+i]=r;}
{u32 r; asm volatile("neg.bf16x2 %0, %1;" : "=r"(r) : "r"(v_bf16x2_0)); out_bf16x2[5*n+i]=r;}
{u32 r; asm volatile("abs.bf16x2 %0, %1;" : "=r"(r) : "r"(v_bf16x2_0)); out_bf16x2[6*n+i]=r;}
{u32 r; asm volatile("min.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[7*n+i]=r;}
{u32 r; asm volatile("min.NaN.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[8*n+i]=r;}
{u32 r; asm volatile("min.xorsign.abs.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[9*n+i]=r;}
{u32 r; asm volatile("min.NaN.xorsign.abs.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[10*n+i]=r;}
{u32 r; asm volatile("max.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[11*n+i]=r;}
{u32 r; asm volatile("max.NaN.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[12*n+i]=r;}
{u32 r; asm volatile("max.xorsign.abs.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[13*n+i]=r;}
{u32 r; asm volatile("max.NaN.xorsign.abs.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1)); out_bf16x2[14*n+i]=r;}
{u32 r; asm volatile("tanh.approx.bf16x2 %0, %1;" : "=r"(r) : "r"(v_bf16x2_0)); out_bf16x2[15*n+i]=r;}
{u32 r; asm volatile("ex2.approx.ftz.bf16x2 %0, %1;" : "=r"(r) : "r"(v_bf16x2_0)); out_bf16x2[16*n+i]=r;}
{u32 r; asm volatile("fma.rn.oob.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1), "r"(v_bf16x2_2)); out_bf16x2[17*n+i]=r;}
{u32 r; asm volatile("fma.rn.oob.relu.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v_bf16x2_0), "r"(v_bf16x2_1), "r"(v_bf16x2_2)); out_bf16x2[18*n+i]=r;}
}