;; select takes from whichever channel has a value, and is None when all are
;; closed and empty; select-with also tells which channel it was.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn drain [chans :Int acc]
  (match (select chans)
    [(IOVal m)
      (match m
        [None (pure acc)
         (Some v) (drain chans (+ acc v))])]))

(defn feed [ch items]
  (do
    (send-all ch items)
    (close ch)))

(defn main []
  (bind! [a (chan 1)
          b (chan 1)
          c (chan-unbounded)
          t (spawn (fn [] (feed a [1 2 3])))
          u (spawn (fn [] (feed b [10 20 30])))
          sum (drain [a b] 0)
          _ (print (show sum))
          _ (await t)
          _ (await u)
          _ (send c 7)
          _ (select-with [a c]
              (fn [:Int place :Int v] (print (str "place " place ": " v))))
          _ (close c)
          none (select-with [a c] (fn [place v] (pure 0)))]
    (print (show none))))
