;; Elements that have parts: options, lists and vecs. Where a task or a channel
;; of these is made, or a map, its name says of what; all else is as for others.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn half [:Int n]
  (if (= n (* 2 (/ n 2))) (Some (/ n 2)) None))

(defn send-halves [ch :Int n]
  (if (= n 0)
    (close ch)
    (match (send ch (half n))
      [(IOVal _) (send-halves ch (- n 1))])))

(defn text [:(Option Int) o]
  (match o [None " -" (Some n) (str " " n)]))

(defn sum [:(List Int) items]
  (list-reduce (fn [:Int acc :Int n] (+ acc n)) 0 items))

(defn main []
  (bind! [halves (chan-option-int 2)
          t (spawn (fn [] (send-halves halves 6)))
          texts (chan-reduce (fn [s o] (str-concat s (text o))) "" halves)
          _ (await t)
          words (spawn-list-string (fn [] (pure (list "one" "two"))))
          got (await words)
          mapped (pmap-list-int (fn [xs] (Cons (sum xs) xs))
                                [(list 1 2 3) (list 4 5)])
          row (spawn-vec-float (fn [] (pure [0.5 1.5])))
          floats (await row)]
    (do
      (print texts)
      (print (list-reduce (fn [s w] (str-concat s w)) "" got))
      (print (show (sum (vec-get mapped 0))))
      (print (show (vec-get floats 1))))))
