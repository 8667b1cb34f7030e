// Vectors of float or double, and the functions gate maths needs: exp, sigmoid, tanh.
//
// A vector is a GCC/Clang vector type as wide as the instruction set this file is compiled for; nothing here names an
// instruction, so the same text serves SSE2, AVX2, AVX-512 and NEON.
#pragma once
#include <cstdint>
#include <cstring>

#ifndef SAIKI_ISA
#define SAIKI_ISA baseline
#endif

#ifndef SAIKI_VECTOR_BYTES
#if defined(__AVX512F__)
#define SAIKI_VECTOR_BYTES 64
#elif defined(__AVX__)
#define SAIKI_VECTOR_BYTES 32
#else
#define SAIKI_VECTOR_BYTES 16
#endif
#endif

#define SAIKI_INLINE inline __attribute__((always_inline))
#define SAIKI_LAMBDA __attribute__((always_inline))

// One namespace per instruction set: the linker must never merge a baseline function with its AVX-512 twin.
namespace saiki::SAIKI_ISA {

template <class T> struct Simd;

template <> struct Simd<float> {
  typedef float V __attribute__((vector_size(SAIKI_VECTOR_BYTES)));
  typedef float Loose __attribute__((vector_size(SAIKI_VECTOR_BYTES), aligned(4), may_alias));
  typedef int32_t I __attribute__((vector_size(SAIKI_VECTOR_BYTES)));
  static constexpr int32_t sign = INT32_MIN;
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer held in the low bits
  static constexpr float log2e = 1.44269504088896341f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float lowest = -87.0f;  // exp(lowest) is still a normal number
  static constexpr float flat = -40.0f;    // 1 - exp(flat) == 1
};

template <> struct Simd<double> {
  typedef double V __attribute__((vector_size(SAIKI_VECTOR_BYTES)));
  typedef double Loose __attribute__((vector_size(SAIKI_VECTOR_BYTES), aligned(8), may_alias));
  typedef int64_t I __attribute__((vector_size(SAIKI_VECTOR_BYTES)));
  static constexpr int64_t sign = INT64_MIN;
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double log2e = 1.44269504088896340736;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double lowest = -708.0;
  static constexpr double flat = -80.0;
};

template <class T> using Vec = typename Simd<T>::V;
template <class T> constexpr long lanes_of = SAIKI_VECTOR_BYTES / long(sizeof(T));
// Rows of internal buffers are padded to 64 bytes whatever the instruction set, so that a buffer's shape is not a
// property of the machine.
template <class T> constexpr long padded(long n) { return (n + 64 / long(sizeof(T)) - 1) / (64 / long(sizeof(T))) * (64 / long(sizeof(T))); }

template <class T> SAIKI_INLINE Vec<T> load(const T* p) { return *reinterpret_cast<const typename Simd<T>::Loose*>(p); }
template <class T> SAIKI_INLINE void store(T* p, Vec<T> v) { *reinterpret_cast<typename Simd<T>::Loose*>(p) = v; }

// The first n numbers only; the rest of the vector is zero. Tensors of the caller are never touched past their end.
template <class T> SAIKI_INLINE Vec<T> load(const T* p, long n) {
  if (n >= lanes_of<T>) return load(p);
  Vec<T> v = {};
  T part[lanes_of<T>] = {};
  for (long i = 0; i < n; ++i) part[i] = p[i];
  std::memcpy(&v, part, sizeof v);
  return v;
}
template <class T> SAIKI_INLINE void store(T* p, Vec<T> v, long n) {
  if (n >= lanes_of<T>) return store(p, v);
  for (long i = 0; i < n; ++i) p[i] = v[i];
}

// Asks for the cache lines of n numbers that are wanted soon.
template <class T> SAIKI_INLINE void prefetch(const T* p, long n) {
  const char *end = reinterpret_cast<const char*>(p + n);
  for (const char* at = reinterpret_cast<const char*>(p); at < end; at += 64) __builtin_prefetch(at, 1);
}

// exp(x) - 1 = scale * p + (scale - 1) for x <= 0, with scale = 2^k and p = exp(r) - 1, r = x - k ln 2.
template <class T> struct Power { Vec<T> scale, p; };

SAIKI_INLINE Vec<float> expm1_tail(Vec<float> r) {  // (exp(r) - 1 - r) / r^2, |r| <= ln(2) / 2; Cephes expf
  Vec<float> q = r * 1.9875691500e-4f + 1.3981999507e-3f;
  q = q * r + 8.3334519073e-3f;
  q = q * r + 4.1665795894e-2f;
  q = q * r + 1.6666665459e-1f;
  return q * r + 5.0000001201e-1f;
}
SAIKI_INLINE Vec<double> expm1_tail(Vec<double> r) {  // Taylor: the next term is below 2e-18
  Vec<double> q = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
  q = q * r + 1.0 / 39916800.0;
  q = q * r + 1.0 / 3628800.0;
  q = q * r + 1.0 / 362880.0;
  q = q * r + 1.0 / 40320.0;
  q = q * r + 1.0 / 5040.0;
  q = q * r + 1.0 / 720.0;
  q = q * r + 1.0 / 120.0;
  q = q * r + 1.0 / 24.0;
  q = q * r + 1.0 / 6.0;
  return q * r + 0.5;
}

template <class T, class V = Vec<T>> SAIKI_INLINE Power<T> power(V x) {
  using S = Simd<T>;
  const V shifted = x * S::log2e + S::magic;
  const V k = shifted - S::magic;
  const V r = (x - k * S::ln2_high) - k * S::ln2_low;
  const typename S::I bits = ((typename S::I)shifted << S::mantissa) + (typename S::I{} + 1) * S::bias * (int64_t(1) << S::mantissa);
  return {(V)bits, r + r * r * expm1_tail(r)};
}

template <class T, class V = Vec<T>> SAIKI_INLINE V minus_abs(V x) { return (V)((typename Simd<T>::I)x | Simd<T>::sign); }

// 1 / (1 + exp(-x)), from exp(-|x|) so that neither tail loses digits. NaN stays NaN.
template <class T, class V = Vec<T>> SAIKI_INLINE V sigmoid(V x) {
  const V m = minus_abs<T>(x);
  const V low = V{} + Simd<T>::lowest;
  const Power<T> e = power<T>(m < low ? low : m);
  const V tail = e.scale + e.scale * e.p;
  const V one = V{} + T(1);
  return (x < V{} ? tail : one) / (one + tail);
}

// tanh|x| = -m / (m + 2) with m = exp(-2|x|) - 1, which keeps every digit near 0. NaN stays NaN.
template <class T, class V = Vec<T>> SAIKI_INLINE V tanh(V x) {
  using I = typename Simd<T>::I;
  const V u = minus_abs<T>(x) * T(2);
  const V low = V{} + Simd<T>::flat;
  const Power<T> e = power<T>(u < low ? low : u);
  const V m = e.scale * e.p + (e.scale - T(1));
  const V size = m / (m + T(2));  // its sign bit is set; the sign of x replaces it
  return (V)(((I)size & ~(I{} + Simd<T>::sign)) | ((I)x & Simd<T>::sign));
}

}  // namespace saiki::SAIKI_ISA
