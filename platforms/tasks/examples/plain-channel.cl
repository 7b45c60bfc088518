;; The platform by itself: a bounded channel holds the sender back.
(platform stdio)
(platform tasks)
(import [platform.stdio [*] platform.tasks [*] primitives [IOVal]])

(defn produce [ch :Int n]
  (if (= n 0)
    (close-int ch)
    (match (send-int ch n)
      [(IOVal _) (produce ch (- n 1))])))

(defn drain [ch :Int acc]
  (match (recv-int ch)
    [(IOVal m)
      (match m
        [None (pure acc)
         (Some v) (drain ch (+ acc v))])]))

(defn main []
  (bind! [ch (chan-int 16)
          t (spawn-int (fn [] (produce ch 1000)))
          total (drain ch 0)
          w (await-int t)]
    (print (show total))))
