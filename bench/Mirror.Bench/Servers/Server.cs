using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Mirror.Bench.Servers;

/// <summary>A server in a process of its own, on a free loopback port, with all its files in one folder.</summary>
internal abstract partial class Server(string name, string folder) : IDisposable
{
    private const int Terminate = 15;
    private static readonly double TicksPerSecond = SystemConfiguration(2);    // _SC_CLK_TCK
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private Process? _process;

    public string Name => name;

    public string Folder => folder;

    public IPEndPoint Address { get; } = FreePort();

    protected abstract string Program { get; }

    /// <summary>Whether it speaks HTTPS.</summary>
    protected virtual bool SpeaksTls => false;

    protected abstract string[] Arguments { get; }

    /// <summary>Starts it and waits for its first answer.</summary>
    /// <returns>How long that took, in milliseconds.</returns>
    public double Start(string? workingDirectory, CancellationToken stopping)
    {
        Directory.CreateDirectory(folder);
        WriteConfiguration();
        var info = new ProcessStartInfo(Program, Arguments)
        {
            UseShellExecute = false,
            WorkingDirectory = workingDirectory ?? folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // What the shell that runs the bench has set is for no server.
        foreach (var variable in info.Environment.Keys.Where(key => key.StartsWith("REGISTRY_", StringComparison.Ordinal)).ToList())
        {
            info.Environment.Remove(variable);
        }

        var started = Stopwatch.GetTimestamp();
        _process = Process.Start(info)!;
        var output = new List<string>();
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        while (!Answers())
        {
            stopping.ThrowIfCancellationRequested();
            if (_process.WaitForExit(1) || Stopwatch.GetElapsedTime(started) > Patience)
            {
                lock (output)
                {
                    throw new InvalidOperationException($"{name} does not answer on {Address}:\n{string.Join('\n', output)}");
                }
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;

        void Note(string? line)
        {
            lock (output)
            {
                if (line is not null && output.Count < 100)
                {
                    output.Add(line);
                }
            }

            Printed(line ?? "");
        }
    }

    public void Stop()
    {
        if (_process is null)
        {
            return;
        }

        _ = Kill(_process.Id, Terminate);
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        _process = null;
    }

    /// <summary>User and system time of all its processes so far, in seconds.</summary>
    public double CpuSeconds() => Processes().Sum(id =>
    {
        // proc(5): the second field is the name in parentheses, and may contain anything.
        var stat = File.ReadAllText($"/proc/{id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11]) + long.Parse(fields[12])) / TicksPerSecond;
    });

    /// <summary>The same, when it has ended what it goes on with after its answer.</summary>
    public double CpuSecondsAtRest()
    {
        var started = Stopwatch.GetTimestamp();
        var (before, now) = (double.NegativeInfinity, CpuSeconds());
        while (now - before > 0.01 && Stopwatch.GetElapsedTime(started) < Patience)
        {
            if (_process!.WaitForExit(250))
            {
                throw new InvalidOperationException($"{name} has ended.");
            }

            (before, now) = (now, CpuSeconds());
        }

        return now;
    }

    /// <summary>From now on the peak of memory is counted anew.</summary>
    public void ResetPeakMemory()
    {
        foreach (var id in Processes())
        {
            File.WriteAllText($"/proc/{id}/clear_refs", "5");
        }
    }

    /// <summary>The largest resident size of its processes, in MiB, all added up.</summary>
    public double PeakMemory() => Processes().Sum(id => File.ReadLines($"/proc/{id}/status")
        .Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^2]) / 1024.0));

    /// <summary>Removes what it has cached of some content: no question is asked about it again, and the disk is not filled.</summary>
    public void Discard(string hex)
    {
        foreach (var path in Directory.EnumerateFileSystemEntries(folder, $"*{hex}*", SearchOption.AllDirectories).ToList())
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
    }

    public void Dispose() => Stop();

    protected abstract void WriteConfiguration();

    /// <summary>It has printed a line.</summary>
    protected virtual void Printed(string line)
    {
    }

    private static IPEndPoint FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return (IPEndPoint)listener.LocalEndpoint;
    }

    private bool Answers()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 5000 };
        try
        {
            socket.Connect(Address);
            using var plain = new NetworkStream(socket);
            using Stream stream = SpeaksTls ? Encrypt(plain) : plain;
            stream.Write("GET /v2/ HTTP/1.1\r\nHost: bench\r\n\r\n"u8);
            var answer = new byte[64];
            return stream.ReadAtLeast(answer, 13, throwOnEndOfStream: false) > 12 && answer.AsSpan().StartsWith("HTTP/1.1 200"u8);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    /// <summary>Its certificate is its own: whom it is from is not what is measured.</summary>
    private static SslStream Encrypt(Stream plain)
    {
        var ssl = new SslStream(plain, leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null);
        ssl.AuthenticateAsClient("127.0.0.1");
        return ssl;
    }

    /// <summary>The process and its children.</summary>
    private IEnumerable<int> Processes()
    {
        var id = _process!.Id;
        var children = File.ReadAllText($"/proc/{id}/task/{id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return children.Select(int.Parse).Prepend(id);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "sysconf")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint SystemConfiguration(int name);
}
