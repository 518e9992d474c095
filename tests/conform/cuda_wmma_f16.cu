#include <mma.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
using namespace nvcuda;
typedef unsigned u32; typedef unsigned long long u64; typedef int s32; typedef long long s64;
#define K extern "C" __global__ void
template<int M,int N,int L1,int L2>__device__ void go(const half*a,const half*b,float*c,half*d){ wmma::fragment<wmma::matrix_a,M,N,16,half,wmma::row_major> A; wmma::fragment<wmma::matrix_b,M,N,16,half,wmma::col_major> B; wmma::fragment<wmma::accumulator,M,N,16,float> C; wmma::fragment<wmma::accumulator,M,N,16,half> D; wmma::fill_fragment(C,0.5f); wmma::load_matrix_sync(D,d,N,wmma::mem_row_major); for(int k=0;k<32;k+=16){ wmma::load_matrix_sync(A,a+k,32); wmma::load_matrix_sync(B,b+k,32); wmma::mma_sync(C,A,B,C); wmma::mma_sync(D,A,B,D);} for(int i=0;i<C.num_elements;i++)C.x[i]*=2.f; wmma::store_matrix_sync(c,C,M,wmma::mem_col_major); wmma::store_matrix_sync(d,D,N,wmma::mem_row_major);}
K k(const half*a,const half*b,float*c,half*d){ int w=threadIdx.x/32; if(w==0)go<16,16,0,0>(a,b,c,d); else if(w==1)go<32,8,0,0>(a,b,c+256,d+256); else go<8,32,0,0>(a,b,c+512,d+512); }