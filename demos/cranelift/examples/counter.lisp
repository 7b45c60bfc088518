; &(counter/run 0), then change the step, and save.
(defn step [n] (+ n 1))

(defn run [n]
  (do (print n)
      (if (sleep 500) n (run (step n)))))
