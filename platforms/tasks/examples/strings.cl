;; Strings are copied on the way; a function may forward values of any type.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn forward [from to]
  (match (recv from)
    [(IOVal m)
      (match m
        [None (close to)
         (Some v) (match (send to v) [(IOVal _) (forward from to)])])]))

(defn main []
  (bind! [from (chan 4)
          to (chan 4)
          _ (send from "hello")
          _ (close from)
          t (spawn (fn [] (forward from to)))
          m (recv to)
          _ (await t)
          u (spawn (fn [] (pure "done")))
          s (await u)]
    (do
      (match m [None (print "none") (Some v) (print v)])
      (print s))))
