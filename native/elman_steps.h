// Elman, step by step: any option around the gate maths of elman.h.
#pragma once
#include "elman.h"
#include "steprows.h"

namespace saiki::SAIKI_ISA {

template <class T> struct ElmanSteps {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 0;
  static constexpr bool holds = false, direct = false, sees = false;
  static long kept(const Steps& c) { return c.width; }  // h

  static void forward(const StepRows<T>& s) {
    if (s.call.relu) forward_as<Relu<T>>(s);
    else forward_as<Tanh<T>>(s);
  }
  static void backward(const StepRows<T>& s) {
    if (s.call.relu) backward_as<Relu<T>>(s);
    else backward_as<Tanh<T>>(s);
  }

 private:
  template <class Function> static void forward_as(const StepRows<T>& s) {
    s.recur(0, 0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j);
      T *h = s.state(0, j), *kept = s.kept(j);
      each_unit<T>(s.call.width, [&](long u, long left) SAIKI_LAMBDA {
        const V out = Function::value(load(x + u, left) + load(r + u, left));
        store(h + u, out, left), store(kept + u, out, left);
      });
    }
  }
  template <class Function> static void backward_as(const StepRows<T>& s) {
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      T *dh = s.dstate(0, j), *dx = s.dx(j);
      each_unit<T>(s.call.width, [&](long u, long left) SAIKI_LAMBDA {
        store(dx + u, load(dh + u, left) * Function::slope(load(kept + u, left)), left);
        store(dh + u, V{}, left);
      });
    }
    s.recur_back(0, 0);
  }
};

}  // namespace saiki::SAIKI_ISA
