;; pmap finds out from what to what it maps.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn main []
  (bind! [squares (pmap (fn [n] (* n n)) [1 2 3 4])
          texts (pmap (fn [n] (show (+ n 1))) [1 2 3])
          longer (pmap (fn [s] (str-concat s "!")) ["a" "b"])]
    (do
      (print (show (vec-reduce + 0 squares)))
      (print (vec-get texts 2))
      (print (vec-get longer 1)))))
