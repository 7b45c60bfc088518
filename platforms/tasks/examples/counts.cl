;; What happened in a channel, and to the tasks.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn main []
  (bind! [ch (chan 4)
          t (spawn (fn [] (send-all ch [1 2 3])))
          sent (await t)
          m (recv ch)
          _ (close ch)
          c (chan-counts ch)
          _ (print (str "in it " (chan-depth c) " of " (chan-capacity c)
                        ", sent " (chan-sent c)
                        ", received " (chan-received c)
                        ", closed " (chan-closed c)))
          any (chan-unbounded)
          _ (send any 1.5)
          c (chan-counts any)
          _ (print (str "in it " (chan-depth c) " of " (chan-capacity c)
                        ", closed " (chan-closed c)))
          k (task-counts)]
    (print (str "tasks started " (tasks-started k)
                ", running " (tasks-running k)
                ", channels " (chans-made k)))))
