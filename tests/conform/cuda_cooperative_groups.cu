typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define K extern "C" __global__ void
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg=cooperative_groups;
K k(const u32*a,u32*o,float*f){ auto b=cg::this_thread_block(); int i=b.group_index().x*b.size()+b.thread_rank(); u32 x=a[i]; auto w=cg::tiled_partition<32>(b); auto t=cg::tiled_partition<8>(w);
 u32 r=cg::reduce(t,x,cg::plus<u32>())^cg::reduce(w,x,cg::greater<u32>()); r+=cg::inclusive_scan(t,x&255,cg::plus<u32>()); r^=cg::exclusive_scan(w,x&15)*7;
 if((x&3)==1){auto c=cg::coalesced_threads(); r+=c.thread_rank()*100+c.size()+c.shfl(x,0);} auto p=cg::binary_partition(w,(x>>5)&1); r+=cg::reduce(p,x&63,cg::plus<u32>()); auto q=cg::labeled_partition(w,(x>>7)&3); r^=q.size()<<20; auto m=cg::tiled_partition<4>(b); f[i]=cg::reduce(m,(float)(x&1023)*0.25f,cg::plus<float>())+t.shfl_xor((float)x,3); b.sync(); o[i]=r+w.meta_group_rank(); }