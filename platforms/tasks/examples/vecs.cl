;; A type with parts is named where a channel or a task is made, and only there.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn main []
  (bind! [ch (chan-vec-int 4)
          t (spawn-vec-int (fn [] (pure [1 2 3])))
          v (await t)
          _ (send ch v)
          m (recv ch)]
    (match m
      [None (print "none")
       (Some got) (print (show (vec-reduce + 0 got)))])))
