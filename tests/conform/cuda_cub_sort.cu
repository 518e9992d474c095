typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define KERNEL extern "C" __global__ void
#include <cub/cub.cuh>
#include <cuda/std/functional>
KERNEL k(u32*a,float*f,u32*o){ typedef cub::BlockRadixSort<u32,128,4,float> R; __shared__ typename R::TempStorage t; u32 v[4]; float w[4]; int b=(blockIdx.x*128+threadIdx.x)*4; for(int j=0;j<4;j++){v[j]=a[b+j];w[j]=f[b+j];} R(t).Sort(v,w); for(int j=0;j<4;j++){o[b+j]=v[j];f[b+j]=w[j];} __syncthreads();
 typedef cub::BlockMergeSort<u32,128,4> M; __shared__ typename M::TempStorage m; for(int j=0;j<4;j++)v[j]=a[b+j]^0x5555u; M(m).Sort(v,[](u32 x,u32 y){return (x&0xffff)<(y&0xffff);}); for(int j=0;j<4;j++)a[b+j]=v[j]; }