;; The platform by itself: squares in parallel.
(platform stdio)
(platform tasks)
(import [platform.stdio [*] platform.tasks [*] primitives [IOVal]])

(defn sq [:Int n] (* n n))

(defn main []
  (bind! [out (pmap-int sq [1 2 3 4 5 6 7 8])]
    (print (show (vec-reduce + 0 out)))))
