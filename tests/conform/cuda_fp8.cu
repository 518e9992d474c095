#include <mma.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
using namespace nvcuda;
#include <cuda_fp8.h>
typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define K extern "C" __global__ void
K k(const float*a,unsigned char*o,float*f,u32*w,const u32*z){ int i=blockIdx.x*64+threadIdx.x; float x=a[i]; __nv_fp8_e4m3 p(x); __nv_fp8_e5m2 q(x); o[i*4]=p.__x; o[i*4+1]=q.__x; o[i*4+2]=__nv_cvt_float_to_fp8(x,__NV_NOSAT,__NV_E5M2); o[i*4+3]=__nv_cvt_halfraw_to_fp8(__half_raw(__float2half(x)),__NV_SATFINITE,__NV_E4M3); f[i*2]=(float)p; f[i*2+1]=(float)q; __nv_fp8x4_e4m3 v(make_float4(x,x*2,x*0.5f,-x)); w[i]=v.__x; __half2 h=(__half2)__nv_fp8x2_e4m3(make_float2(x,-x)); w[256+i]=*(u32*)&h; __nv_fp8x2_e5m2 y; y.__x=z[i]&0xffff; float2 g=(float2)y; w[512+i]=__float_as_uint(g.x+0.f)&0xfffffff0; double d=x; __nv_fp8_e4m3 r(d); w[768+i]=r.__x; __nv_bfloat16 b=__float2bfloat16(x); __nv_fp8_e5m2 s(b); w[1024+i]=s.__x; }