namespace Mirror.Oci.Remote;

/// <summary>Sends one request and waits for its answer's headers, no longer than the header timeout.</summary>
internal static class TimedSend
{
    /// <param name="transport">Where it is sent.</param>
    /// <param name="request">Sent as it is; no redirect is followed.</param>
    /// <param name="options">The timeouts.</param>
    /// <param name="server">Who is asked, for messages.</param>
    /// <param name="time">The clock of the timeout.</param>
    /// <param name="answerTimeout">How long the answer may take, where that is not the header timeout.</param>
    /// <param name="cancellationToken">The caller's; its cancellation is thrown, everything else is an answer.</param>
    /// <returns>The response, whatever its status.</returns>
    public static async Task<RemoteAnswer<HttpResponseMessage>> SendAsync(
        HttpMessageInvoker transport,
        HttpRequestMessage request,
        RemoteRegistryOptions options,
        string server,
        TimeProvider time,
        TimeSpan? answerTimeout,
        CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(answerTimeout ?? options.HeaderTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var streamed = request.Content as StreamedContent;
        streamed?.Watch(timeout);
        try
        {
            return await transport.SendAsync(request, either.Token);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && streamed is { HasFailedItself: true })
        {
            // Nothing is said about the server by that: it is not to be left alone for it.
            return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"what was being sent to {server} has failed itself: {e.Message}");
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested && e.InnerException is TimeoutException)
        {
            return new RemoteFailure.Unavailable(
                UnavailableReason.Unreachable, $"{server} can not be reached: no connection within {options.ConnectTimeout.TotalSeconds} s");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Timeout, $"{server} did not answer in time");
        }
        catch (HttpRequestException e) when (e.InnerException is ForbiddenAddressException forbidden)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Forbidden, $"{server} was not asked: {forbidden.Message}");
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConfigurationLimitExceeded or HttpRequestError.InvalidResponse)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{server} answered with what is no usable response: {e.Message}");
        }
        catch (HttpRequestException e)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Unreachable, $"{server} can not be reached: {(e.InnerException ?? e).Message}");
        }
        catch (IOException e)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Unreachable, $"{server} can not be reached: {e.Message}");
        }
        finally
        {
            // What is still being sent of a body that was refused has nobody who waits for it.
            await (streamed?.StopAsync() ?? Task.CompletedTask);
        }
    }
}
