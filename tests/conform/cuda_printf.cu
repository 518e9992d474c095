typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define KERNEL extern "C" __global__ void
#include <cstdio>
KERNEL k(const float*a,int n){ int i=threadIdx.x+blockIdx.x*blockDim.x; if(i<n){ printf("t %d of %u: %f %e %g %5.2f|%-8d|%08x|%c|%s\n",i,n,a[i],a[i],a[i],a[i],i,i*1234567,65+i,(i&1)?"odd":"even"); if(i==3)printf("no args\n"); printf("%lld %llu %p %5s %%\n",(long long)i-5,(unsigned long long)i<<33,(void*)(size_t)(i+16),"x"); } }