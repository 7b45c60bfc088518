;; A channel has the type of what is sent through it.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn produce [ch :Int n]
  (if (= n 0)
    (close ch)
    (match (send ch n)
      [(IOVal _) (produce ch (- n 1))])))

(defn drain [ch :Int acc]
  (match (recv ch)
    [(IOVal m)
      (match m
        [None (pure acc)
         (Some v) (drain ch (+ acc v))])]))

(defn main []
  (bind! [ch (chan 16)
          t (spawn (fn [] (produce ch 1000)))
          total (drain ch 0)
          w (await t)]
    (print (show total))))
