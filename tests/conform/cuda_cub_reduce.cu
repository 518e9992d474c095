typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define KERNEL extern "C" __global__ void
#include <cub/cub.cuh>
#include <cuda/std/functional>
KERNEL k(const int*a,int*o,const float*f,float*of){ typedef cub::BlockReduce<int,128> R; __shared__ typename R::TempStorage t; int i=blockIdx.x*128+threadIdx.x; int s=R(t).Sum(a[i]); if(!threadIdx.x)o[blockIdx.x*2]=s; __syncthreads(); int m=R(t).Reduce(a[i],[](int x,int y){return x>y?x:y;}); if(!threadIdx.x)o[blockIdx.x*2+1]=m;
 typedef cub::BlockReduce<float,128,cub::BLOCK_REDUCE_RAKING> Q; __shared__ typename Q::TempStorage q; float r=Q(q).Sum(f[i]); if(!threadIdx.x)of[blockIdx.x]=r;}