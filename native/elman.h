// Elman: h = f(x + W h), f = tanh or relu.
#pragma once
#include "math.h"

namespace saiki::SAIKI_ISA {

template <class T> struct Tanh {
  using V = Vec<T>;
  static SAIKI_INLINE V value(V a) { return tanh<T>(a); }
  static SAIKI_INLINE V slope(V h) { return T(1) - h * h; }
};

template <class T> struct Relu {
  using V = Vec<T>;
  static SAIKI_INLINE V value(V a) { return a < V{} ? V{} : a; }  // NaN stays NaN
  static SAIKI_INLINE V slope(V h) { return h > V{} ? V{} + T(1) : V{}; }
};

template <class T, template <class> class Function> struct Elman {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int gates = 1, states = 1, saved = 0, grads = 1;
  static constexpr int input_order[] = {0}, recurrent_order[] = {0}, recurrent_begin = 0;

  static SAIKI_INLINE void forward(const V* x, const V* r, V* state, V*) { state[0] = Function<T>::value(x[0] + r[0]); }

  static SAIKI_INLINE void backward(const V*, const V* state, const V*, V* dstate, V* grad) {
    grad[0] = dstate[0] * Function<T>::slope(state[0]);
    dstate[0] = V{};
  }
};

template <class T> using ElmanTanh = Elman<T, Tanh>;
template <class T> using ElmanRelu = Elman<T, Relu>;

}  // namespace saiki::SAIKI_ISA
