typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define KERNEL extern "C" __global__ void
#include <cub/cub.cuh>
#include <cuda/std/functional>
KERNEL k(const int*a,int*o){ typedef cub::BlockScan<int,128> R; __shared__ typename R::TempStorage t; int v[4]; int b=(blockIdx.x*128+threadIdx.x)*4; for(int j=0;j<4;j++)v[j]=a[b+j]; int agg; R(t).ExclusiveSum(v,v,agg); for(int j=0;j<4;j++)o[b+j]=v[j]+agg; }