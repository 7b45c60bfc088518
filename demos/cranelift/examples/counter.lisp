; &(counter/start), then change the step or the text, and save.
(defn step [n] (+ n 1))

(defn text [n] (concat "count " (show n)))

; Numbers come from one task, and become texts in another.
(defn count-up [c n]
  (if (sleep 500) (close c)
    (if (send c n) (count-up c (step n)) (close c))))

(defn print-all [c]
  (recv [n c] (do (print (text n)) (print-all c)) "closed"))

(defn start []
  (let [c (chan 4)
        counter (spawn (fn [] (count-up c 0)))]
    (print-all c)))
