;; The platform by itself: two loops in two tasks.
(platform stdio)
(platform tasks)
(import [platform.stdio [*] platform.tasks [*] primitives [IOVal]])

(defn sum-to [:Int n :Int acc]
  (if (= n 0) acc (sum-to (- n 1) (+ acc n))))

(defn main []
  (bind! [t1 (spawn-int (fn [] (pure (sum-to 1000000 0))))
          t2 (spawn-int (fn [] (pure (sum-to 2000000 0))))
          r1 (await-int t1)
          r2 (await-int t2)]
    (print (show (+ r1 r2)))))
