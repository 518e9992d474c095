typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define K extern "C" __global__ void
#include <cuda/barrier>
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
namespace cg=cooperative_groups;
K k(const int*a,int*o,int n){ __shared__ alignas(16) int s[2][256]; __shared__ cuda::barrier<cuda::thread_scope_block> bar[2]; auto b=cg::this_thread_block(); if(b.thread_rank()==0){init(&bar[0],b.size());init(&bar[1],b.size());} b.sync(); cuda::memcpy_async(b,s[0],a,cuda::aligned_size_t<16>(1024),bar[0]); int acc=0; for(int i=0;i<n;i++){ if(i+1<n)cuda::memcpy_async(b,s[(i+1)&1],a+(i+1)*256,cuda::aligned_size_t<16>(1024),bar[(i+1)&1]); bar[i&1].arrive_and_wait(); acc+=s[i&1][threadIdx.x]*(i+1)+s[i&1][255-threadIdx.x]; b.sync(); } o[threadIdx.x]=acc; }