;; Three stages, each in a task: numbers, their squares, and texts of these.
;; What a stage closes ends the next one; small channels keep them in step.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn numbers [out :Int from :Int to]
  (if (> from to)
    (close out)
    (match (send out from)
      [(IOVal _) (numbers out (+ from 1) to)])))

(defn squares [in out]
  (do
    (chan-each (fn [:Int n] (send out (* n n))) in)
    (close out)))

(defn texts [in out]
  (do
    (chan-each (fn [:Int n] (send out (str "<" n ">"))) in)
    (close out)))

(defn main []
  (bind! [a (chan 2)
          b (chan 2)
          c (chan 2)
          t1 (spawn (fn [] (numbers a 1 5)))
          t2 (spawn (fn [] (squares a b)))
          t3 (spawn (fn [] (texts b c)))
          all (chan-reduce (fn [s t] (str-concat s t)) "" c)
          _ (await t1)
          _ (await t2)
          _ (await t3)]
    (print all)))
