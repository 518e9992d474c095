typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define KERNEL extern "C" __global__ void
#include <cub/cub.cuh>
#include <cuda/std/functional>
KERNEL k(const u32*a,u32*o){ typedef cub::BlockHistogram<unsigned char,128,4,64> R; __shared__ typename R::TempStorage t; __shared__ u32 h[64]; unsigned char v[4]; int b=threadIdx.x*4; for(int j=0;j<4;j++)v[j]=a[b+j]&63; R(t).Histogram(v,h); __syncthreads(); if(threadIdx.x<64)o[threadIdx.x]=h[threadIdx.x];
 typedef cub::WarpScan<u32> W; __shared__ typename W::TempStorage ws[4]; u32 r,s; W(ws[threadIdx.x/32]).Scan(a[threadIdx.x]&1023,r,s,0u,[](u32 x,u32 y){return x>y?x:y;}); o[64+threadIdx.x*2]=r;o[65+threadIdx.x*2]=s;
 typedef cub::WarpReduce<u32,16> Q; __shared__ typename Q::TempStorage qs[8]; u32 z=Q(qs[threadIdx.x/16]).HeadSegmentedSum(a[threadIdx.x]&255,(a[threadIdx.x]>>8)%5==0); o[320+threadIdx.x]=z;
 typedef cub::BlockDiscontinuity<u32,128> D; __shared__ typename D::TempStorage ds; u32 x[2]={a[threadIdx.x*2]&3,a[threadIdx.x*2+1]&3}; int fl[2]; D(ds).FlagHeads(fl,x,cuda::std::not_equal_to<>()); o[448+threadIdx.x]=fl[0]+2*fl[1];}