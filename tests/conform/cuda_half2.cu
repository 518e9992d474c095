#include <mma.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
using namespace nvcuda;
typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define K extern "C" __global__ void
K k(const half2*a,const half2*b,half2*o,const __nv_bfloat162*c,__nv_bfloat162*p,int*q){ int i=blockIdx.x*64+threadIdx.x; half2 x=a[i],y=b[i]; half2*r=o+i*16; r[0]=__hadd2(x,y); r[1]=__hmul2_sat(x,y); r[2]=__hfma2_relu(x,y,x); r[3]=__hmax2(x,y); r[4]=__hmin2_nan(x,y); r[5]=h2exp2(x); r[6]=h2log2(__habs2(x)); r[7]=h2rcp(x); r[8]=h2sqrt(__habs2(y)); r[9]=h2rsqrt(__habs2(y)); r[10]=h2floor(x); r[11]=h2rint(y); r[12]=__hcmadd(x,y,x); r[13]=h2tanh_approx(x); r[14]=__h2div(x,y); r[15]=h2exp(x);
 __nv_bfloat162 u=c[i],v=__hneg2(c[(i+5)&127]); __nv_bfloat162*s=p+i*8; s[0]=__hadd2(u,v); s[1]=__hfma2(u,v,u); s[2]=__hmax2(u,v); s[3]=h2exp2(u); s[4]=__hmul2(u,v); s[5]=h2sqrt(__habs2(u)); s[6]=h2trunc(v); s[7]=__hsub2_sat(u,v); int e=0; e|=__hbeq2(x,y)|__hble2(x,y)<<1|__hbgtu2(x,y)<<2; half2 m=__hgt2(x,y); e|=(*(u32*)&m&0xffff0000)>>8; e^=__half2int_rz(__low2half(x))<<3; e+=__half2short_rn(__high2half(y)); e^=(int)__hisnan(__low2half(x))<<30; q[i]=e; }