;; Filter and reduce in parallel, over numbers and over texts.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn divides [:Int d :Int n] (= n (* d (/ n d))))

(defn prime-from [:Int d :Int n]
  (if (> (* d d) n)
    true
    (if (divides d n) false (prime-from (+ d 1) n))))

(defn prime [:Int n] (if (< n 2) false (prime-from 2 n)))

(defn count-to [:Int i :Int n items]
  (if (> i n) items (count-to (+ i 1) n (vec-push items i))))

(defn larger [:Int a :Int b] (if (> a b) a b))

(defn main []
  (bind! [primes (pfilter prime (count-to 1 1000 []))
          sum (preduce (fn [:Int a :Int b] (+ a b)) 0 primes)
          most (preduce larger 0 primes)
          small (pfilter (fn [:Float x] (< x 1.0)) [0.5 1.5 0.25 2.0])
          product (preduce (fn [:Float x :Float y] (* x y)) 1.0 small)
          joined (preduce (fn [a b] (str-concat a b)) "" ["a" "b" "c" "d"])]
    (do
      (print (show (vec-len primes)))
      (print (show sum))
      (print (show most))
      (print (show product))
      (print joined))))
